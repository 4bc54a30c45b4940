// Reads one source tree with the TypeScript compiler and prints what it defines, as JSON.
//
//   node extract.mjs PATH/TO/node_modules/typescript TREE > definitions.json
//
// This is the independent parser that span coverage is judged by: it shares nothing with the
// engine. make.py runs it once per corpus; the output is committed, so that nobody needs node to
// derive questions. The rules, in words, stand in lens_core/truth.py.
//
// Output, per file: {"comments": [start, end, …], "definitions": [[name, kind, first line, last line, comment], …]}
// Comments are the /** … */ of the file as half-open ranges of code points. Lines count from 1
// and end at "\n" alone. The last field is the index of the definition's doc comment, or -1.

import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [, , typescriptFolder, root] = process.argv;
const ts = createRequire(import.meta.url)(resolve(typescriptFolder));
const SCRIPT = /\.(ts|tsx|mts|cts|js|jsx|mjs|cjs|svelte)$/;
const SVELTE_SCRIPT = /(<script(?:\s(?:"[^"]*"|'[^']*'|[^>"'])*)?>)([\s\S]*?)<\/script\s*>/g;
const K = ts.SyntaxKind;

function* scripts(folder, prefix = "") {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = prefix + entry.name;
    if (entry.isDirectory()) yield* scripts(join(folder, entry.name), path + "/");
    else if (SCRIPT.test(entry.name)) yield path;
  }
}

// A Svelte component becomes one TypeScript source in which all but the scripts is blank, so that
// lines and offsets stay those of the component.
function svelteScripts(text) {
  const blank = text.split("").map((unit) => (unit === "\n" ? unit : " "));
  for (const match of text.matchAll(SVELTE_SCRIPT)) {
    const start = match.index + match[1].length;
    for (let i = start; i < start + match[2].length; i++) blank[i] = text[i];
  }
  return blank.join("");
}

function scriptKind(path) {
  if (/\.tsx$/.test(path)) return ts.ScriptKind.TSX;
  if (/\.[cm]?jsx?$/.test(path)) return ts.ScriptKind.JSX;
  return ts.ScriptKind.TS;
}

function* tokens(node, source) {
  if (node.kind >= K.FirstJSDocNode && node.kind <= K.LastJSDocNode) return;
  if (ts.isTokenKind(node.kind)) {
    yield node;
    return;
  }
  for (const child of node.getChildren(source)) yield* tokens(child, source);
}

// Comments can stand before any token but JSX text, where "/**" is text like any other.
function docComments(source) {
  const text = source.text;
  const found = new Map();
  const add = (ranges) => {
    for (const { pos, end, kind } of ranges ?? []) {
      if (kind === K.MultiLineCommentTrivia && text.startsWith("/**", pos) && end - pos > 4) found.set(pos, end);
    }
  };
  const shebang = (ts.getShebang(text) ?? "").length;
  for (const token of tokens(source, source)) {
    if (token.kind === K.JsxText) continue;
    add(ts.getLeadingCommentRanges(text, token.pos === 0 ? shebang : token.pos));
    if (!endsInJsxText(token)) add(ts.getTrailingCommentRanges(text, token.end));
  }
  return [...found].sort((a, b) => a[0] - b[0]);
}

// What follows the ">" of a JSX tag, or the "}" of a JSX expression, is JSX text.
function endsInJsxText(token) {
  const { parent } = token;
  if (token.kind === K.CloseBraceToken) return parent.kind === K.JsxExpression && !ts.isJsxAttribute(parent.parent);
  if (token.kind !== K.GreaterThanToken) return false;
  return [K.JsxOpeningElement, K.JsxClosingElement, K.JsxSelfClosingElement, K.JsxOpeningFragment,
    K.JsxClosingFragment].includes(parent.kind);
}

const isFunction = (node) => node && (ts.isArrowFunction(node) || ts.isFunctionExpression(node));
const inTypeBody = (node) => ts.isClassLike(node.parent);

// [kind, name node or text, the node that is the definition's span] of what counts, else undefined.
function counted(node) {
  switch (node.kind) {
    case K.ClassDeclaration: return ["class", node.name, node];
    case K.InterfaceDeclaration: return ["interface", node.name, node];
    case K.EnumDeclaration: return ["enum", node.name, node];
    case K.TypeAliasDeclaration: return ["type", node.name, node];
    case K.FunctionDeclaration: return ["function", node.name, node];
    case K.MethodSignature: return ["method", node.name, node];
    case K.MethodDeclaration: return inTypeBody(node) ? ["method", node.name, node] : undefined;
    case K.Constructor: return ["constructor", "constructor", node];
    case K.GetAccessor: return inTypeBody(node) ? ["getter", node.name, node] : undefined;
    case K.SetAccessor: return inTypeBody(node) ? ["setter", node.name, node] : undefined;
    case K.PropertyDeclaration: return isFunction(node.initializer) ? ["method", node.name, node] : undefined;
    case K.VariableDeclaration: return variable(node);
    default: return undefined;
  }
}

function variable(node) {
  const statement = node.parent.parent;
  if (!isFunction(node.initializer) || !ts.isVariableStatement(statement)) return undefined;
  if (!ts.isSourceFile(statement.parent) && !ts.isModuleBlock(statement.parent)) return undefined;
  return ["function", node.name, node.parent.declarations.length === 1 ? statement : node];
}

function definitions(source, comments, lineAt) {
  const indexOf = new Map(comments.map(([pos], index) => [pos, index]));
  const found = [];
  const visit = (node) => {
    const [kind, name, span] = counted(node) ?? [];
    if (name) {
      const text = typeof name === "string" ? name : name.getText(source);
      const doc = span.jsDoc?.at(-1);
      found.push([text, kind, lineAt(span.getStart(source)), lineAt(span.end), doc ? (indexOf.get(doc.pos) ?? -1) : -1]);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

// Positions of every "\n" and of every second half of a surrogate pair, to count from UTF-16 units.
function counter(text, matches) {
  const positions = [];
  for (let i = 0; i < text.length; i++) if (matches(text.charCodeAt(i))) positions.push(i);
  return (offset) => {
    let low = 0;
    let high = positions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (positions[middle] < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function read(path) {
  const raw = readFileSync(join(root, path), "utf8");
  const text = path.endsWith(".svelte") ? svelteScripts(raw) : raw;
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, scriptKind(path));
  if (source.parseDiagnostics.length) process.stderr.write(`${path}: ${source.parseDiagnostics.length} parse diagnostics\n`);
  const newlines = counter(text, (unit) => unit === 10);
  const lowSurrogates = counter(raw, (unit) => unit >= 0xdc00 && unit <= 0xdfff);
  const comments = docComments(source);
  return {
    comments: comments.flatMap(([pos, end]) => [pos - lowSurrogates(pos), end - lowSurrogates(end)]),
    definitions: definitions(source, comments, (offset) => newlines(offset) + 1),
  };
}

const files = {};
for (const path of [...scripts(root)].sort()) files[path] = read(path);
process.stdout.write(JSON.stringify({ typescript: ts.version, files }));
