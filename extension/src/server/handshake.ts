/** The check that the editor's and the daemon's halves speak the same `peft/*` messages. */
import { Problem } from "../problem";
import { PROTOCOL_VERSION, type ServerVersion } from "../protocol/types";

/** The daemon speaks another protocol than this extension. */
export class ProtocolMismatch extends Problem {}

/** Returns the daemon's version. */
export function checkVersion(experimental: unknown): string {
  const said = (experimental as { peft?: Partial<ServerVersion> } | undefined)?.peft;
  if (said?.protocol === PROTOCOL_VERSION && typeof said.version === "string") return said.version;
  const theirs =
    said?.protocol === undefined ? "does not say which protocol it speaks" : `speaks protocol ${said.protocol}`;
  throw new ProtocolMismatch(
    `The language server (version ${said?.version ?? "unknown"}) ${theirs}, but this extension needs protocol ${PROTOCOL_VERSION}.`,
    "Repair the environment to get the version that belongs to this extension.",
  );
}
