import { describe, expect, it } from "vitest";

import { PROTOCOL_VERSION } from "../../src/protocol/types";
import { checkVersion, ProtocolMismatch } from "../../src/server/handshake";

describe("checkVersion", () => {
  it("accepts a daemon of the same protocol, whatever its version", () => {
    expect(checkVersion({ peft: { version: "9.9.9", protocol: PROTOCOL_VERSION } })).toBe("9.9.9");
  });

  it.each([PROTOCOL_VERSION + 1, PROTOCOL_VERSION - 1])(
    "refuses protocol %i in one sentence that names both",
    (protocol) => {
      const check = () => checkVersion({ peft: { version: "2.0.0", protocol } });
      expect(check).toThrow(ProtocolMismatch);
      expect(check).toThrow(
        `The language server (version 2.0.0) speaks protocol ${protocol}, but this extension needs protocol ${PROTOCOL_VERSION}.`,
      );
    },
  );

  it.each([undefined, null, {}, { peft: {} }, { peft: { version: "1" } }])("refuses a server that says %j", (said) => {
    expect(() => checkVersion(said)).toThrow(ProtocolMismatch);
  });
});
