/** The HTML of a panel: an empty page that may load our own script and style, and nothing else. */
/** A webview of ours, which is also the name of its files. */
export type PageName = "run" | "chat";

export interface PageParts {
  readonly name: PageName;
  readonly cspSource: string;
  readonly nonce: string;
  readonly scriptUri: string;
  readonly styleUri: string;
}

export function page({ name, cspSource, nonce, scriptUri, styleUri }: PageParts): string {
  const policy = [
    "default-src 'none'",
    `img-src ${cspSource}`,
    `font-src ${cspSource}`,
    `style-src ${cspSource}`,
    `script-src 'nonce-${nonce}'`,
  ].join("; ");
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${policy}" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${name}</title>
    <link rel="stylesheet" href="${styleUri}" />
  </head>
  <body>
    <main id="${name}"></main>
    <script nonce="${nonce}" src="${scriptUri}"></script>
  </body>
</html>
`;
}
