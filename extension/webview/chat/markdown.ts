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

export function markdown(text: string, frameCode: FrameCode): DocumentFragment {
  const fragment = document.createDocumentFragment();
  append(fragment, parser.parse(text, {}), frameCode);
  return fragment;
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
