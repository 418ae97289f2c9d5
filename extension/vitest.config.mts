import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/unit/**/*.test.ts", "test/environment/**/*.test.ts"],
    // The environment test makes a real virtual environment.
    testTimeout: 20_000,
  },
});
