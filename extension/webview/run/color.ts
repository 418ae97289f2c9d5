/**
 * A colour of a theme without what it lets through. The editor's orange for charts is that of marks that lie over a text: a
 * third of it, and a line in it is hardly seen.
 */
export function opaque(color: string): string {
  return color
    .replace(/^(#[0-9a-f]{6})[0-9a-f]{2}$/i, "$1")
    .replace(/^(#[0-9a-f]{3})[0-9a-f]$/i, "$1")
    .replace(/^rgba\(([^,]+,[^,]+,[^,]+),[^)]*\)$/, "rgb($1)");
}
