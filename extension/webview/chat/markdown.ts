/**
 * A model's Markdown as elements. No HTML is ever parsed: the parser's tokens become elements one by one, text is set as
 * text, links lead to the web only, and pictures are their description, because fetching one would tell its server.
 */
import MarkdownIt, { type Token } from "markdown-it";

import { element } from "../element";

const parser = new MarkdownIt({ html: false, linkify: false });

const WEB = /^https?:\/\//i;

/** The elements that a token may become, by what the parser calls them. */
const TAGS = [
  ...["p", "ul", "ol", "li", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "s"],
  ...["table", "thead", "tbody", "tr", "th", "td"],
] as const;
type Tag = (typeof TAGS)[number];

/** A model's headings come under the panel's own. */
const DEMOTED: Partial<Record<Tag, Tag>> = { h1: "h3", h2: "h4", h3: "h5", h4: "h6", h5: "h6" };

/** Makes what stands around a block of code, such as its buttons. */
export type FrameCode = (code: HTMLElement, text: string, language: string) => HTMLElement;

/** What stands at the top level of a text: a paragraph, a list, a block of code. */
interface Block {
  /** Where its first line begins. */
  readonly start: number;
  readonly kind: string;
  readonly source: string;
  readonly tokens: readonly Token[];
}

interface Drawn {
  readonly block: Block;
  readonly nodes: readonly ChildNode[];
}

/** More words may change the last block, or make it a part of the one before it: a "2" becomes a list's second entry. */
const OPEN_BLOCKS = 2;

/**
 * A text that grows at its end. What its last words do not change stays the elements that it is: a long answer costs a frame
 * no more than a short one, and what somebody has selected or reached with the keyboard stays so.
 */
export class GrowingMarkdown {
  /** Characters that have their elements for good. */
  private settled = 0;
  private open: readonly Drawn[] = [];
  /** Addresses that were given names, by whichever block. */
  private readonly known = {};

  constructor(
    private readonly root: HTMLElement,
    private readonly frameCode: FrameCode,
  ) {}

  /** @param text begins with all that was shown before */
  show(text: string): void {
    const blocks = blocksOf(text.slice(this.settled), this.known);
    const same = blocks.findIndex((block, place) => !isSame(block, this.open[place]?.block));
    const kept = same === -1 ? blocks.length : same;
    for (const { nodes } of this.open.slice(kept)) nodes.forEach((node) => node.remove());
    const drawn = [...this.open.slice(0, kept), ...blocks.slice(kept).map((block) => this.draw(block))];
    this.open = drawn.slice(-OPEN_BLOCKS);
    this.settled += blocks.at(-OPEN_BLOCKS)?.start ?? 0;
  }

  private draw(block: Block): Drawn {
    const fragment = document.createDocumentFragment();
    append(fragment, block.tokens, this.frameCode);
    const nodes = [...fragment.childNodes];
    this.root.append(fragment);
    return { block, nodes };
  }
}

function isSame(one: Block, other: Block | undefined): boolean {
  return one.kind === other?.kind && one.source === other.source;
}

function blocksOf(text: string, known: object): Block[] {
  const tokens = parser.parse(text, known);
  // As the parser counts lines.
  const starts = [0, ...[...text.matchAll(/\r\n?|\n/g)].map(({ index, 0: end }) => index + end.length)];
  const place = (line: number) => starts[line] ?? text.length;
  const begins = tokens.flatMap(({ level, nesting }, index) => (level === 0 && nesting !== -1 ? [index] : []));
  return begins.flatMap((index, number) => {
    const { type, map } = tokens[index] ?? {};
    // An entry of a list and the like have no place of their own, but the list has.
    if (!type || !map) return [];
    const [start, end] = [place(map[0]), place(map[1])];
    const source = text.slice(start, end).trimEnd();
    return [{ start, kind: type, source, tokens: tokens.slice(index, begins[number + 1]) }];
  });
}

function append(root: ParentNode & Node, tokens: readonly Token[], frameCode: FrameCode): void {
  const open: (ParentNode & Node)[] = [root];
  const here = () => open.at(-1) ?? root;
  for (const token of tokens) {
    if (token.nesting === -1) {
      if (open.length > 1) open.pop();
    } else if (token.nesting === 1) {
      const made = container(token);
      here().append(made);
      open.push(made);
    } else if (token.type === "inline") {
      append(here(), token.children ?? [], frameCode);
    } else {
      here().append(leaf(token, frameCode));
    }
  }
}

function container(token: Token): ParentNode & Node {
  // A paragraph of a tight list is no paragraph.
  if (token.hidden) return element("span");
  if (token.type === "link_open") return link(token);
  const tag = TAGS.find((known) => known === token.tag);
  if (!tag) return element("span");
  const made = element(DEMOTED[tag] ?? tag);
  const start = token.attrGet("start");
  if (start !== null) made.setAttribute("start", start);
  return made;
}

function link(token: Token): HTMLElement {
  const target = String(token.attrGet("href"));
  return WEB.test(target) ? element("a", { href: target, title: target }) : element("span", { title: target });
}

function leaf(token: Token, frameCode: FrameCode): Node | string {
  switch (token.type) {
    case "text":
      return token.content;
    case "code_inline":
      return element("code", {}, token.content);
    case "fence":
    case "code_block": {
      const language = token.info.trim().split(/\s/)[0] ?? "";
      return frameCode(element("pre", {}, element("code", {}, token.content)), token.content, language);
    }
    case "hardbreak":
      return element("br");
    case "softbreak":
      return "\n";
    case "hr":
      return element("hr");
    case "image":
      return element("span", { class: "picture", title: String(token.attrGet("src")) }, token.content || "picture");
    default:
      return token.content;
  }
}
