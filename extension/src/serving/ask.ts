/** A question straight to the model server, past the daemon: for what comes so often, or must end so soon, that a hop counts. */
import { Problem } from "../problem";
import type { ErrorReport, ServeEndpoint } from "../protocol/types";

interface Refusal {
  readonly error?: { readonly message: string; readonly report?: ErrorReport };
}

/**
 * @param path below the API's address, which ends in `/v1`; one that begins with `..` is beside it
 * @returns the answer's body, in which the caller knows the parts that matter
 * @throws Problem in the server's own words; an AbortError when the signal ended it, and the computation with it.
 */
export async function ask<Body>({ url, token }: ServeEndpoint, path: string, init: RequestInit): Promise<Body> {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const response = await fetch(new URL(path, `${url}/`), { ...init, headers });
  const body = (await response.json()) as Body & Refusal;
  if (response.ok) return body;
  if (body.error?.report) throw Problem.fromReport(body.error.report);
  throw new Problem(body.error?.message ?? `The model server answered ${response.status}.`);
}
