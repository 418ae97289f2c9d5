/**
 * A curve without its noise: the exponential moving average of its points, divided by what the first points lack, so that
 * it does not begin at zero (the correction of Adam's moments; D. Kingma and J. Ba, 2015, section 3).
 *
 * @param weight of the average so far, 0 (no smoothing) to below 1
 */
export function smoothed(curve: ReadonlyMap<number, number | null>, weight: number): Map<number, number | null> {
  let average = 0;
  let missing = 1;
  return new Map(
    [...curve.entries()]
      .sort(([a], [b]) => a - b)
      .map(([step, value]) => {
        // What is no number stays visible, and does not spoil what follows it.
        if (value === null) return [step, null];
        average = weight * average + (1 - weight) * value;
        missing *= weight;
        return [step, average / (1 - missing)];
      }),
  );
}
