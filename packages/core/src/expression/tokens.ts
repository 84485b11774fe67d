import { ConfigError } from '../errors.js';

/** A piece of an expression and where it starts. */
export interface Token {
  readonly kind: 'number' | 'name' | 'symbol';
  readonly text: string;
  /** Characters before it. */
  readonly start: number;
}

/** Limits that make the cost of parsing and evaluating an expression small whatever it says. */
export const expressionLimits = {
  /** Characters. */
  length: 1000,
  /** Numbers, names and symbols together; also bounds the nodes of the tree and so the work of one evaluation. */
  tokens: 400,
  /** Parentheses and conditionals inside one another. */
  depth: 32,
} as const;

/** Operators that mathjs would read as one piece. */
const FOREIGN_OPERATORS = ['and', 'in', 'mod', 'not', 'or', 'to', 'xor', '<<', '>>', '>>>', '??'];

const PATTERNS: readonly [Token['kind'], RegExp][] = [
  ['number', /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y],
  ['name', /[A-Za-z_]\w*/y],
  ['symbol', /<<|>>>?|\?\?|[<>=!]=|[-+*/^()<>?:,]/y],
];

/** What is easily written by mistake, or to break out, and why it is refused. */
const REFUSALS: readonly [RegExp, (found: string) => string][] = [
  [/["'`]/y, () => 'text is not allowed'],
  [/[[\]{}]/y, (found) => `"${found}" is not allowed: lists, ranges and objects do not exist here`],
  [/\./y, () => '"." is not allowed: properties and element-wise operators do not exist here'],
  [/=/y, () => 'nothing can be assigned or defined; "==" compares'],
];

/**
 * Cuts an expression into its pieces and refuses, at its place, what the language does not have: text, properties, lists,
 * assignments, other operators; and what is too long or too deep to be worth parsing. It reads every character once.
 *
 * @param label - what the expression is called in messages
 * @throws {ConfigError} pointing at the first thing that is not allowed
 */
export function* tokens(text: string, label: string): Generator<Token> {
  const refused = (what: string, start: number, length = 1): ConfigError =>
    new ConfigError(pointAt(text, label, what, start, length), undefined, { lines: 'several' });
  const { length: mostCharacters, tokens: most, depth } = expressionLimits;
  if (text.length > mostCharacters)
    throw refused(`at most ${mostCharacters} characters; got ${text.length}`, mostCharacters);
  let count = 0;
  let open = 0;
  let conditionals = 0; // all so far
  let unanswered = 0; // those whose ":" is still to come
  for (let start = 0; start < text.length;) {
    if (/[ \t]/.test(text[start])) {
      start += 1;
      continue;
    }
    const token = tokenAt(text, start);
    if (!token) throw refused(refusalAt(text, start), start);
    const { kind, text: written } = token;
    const refuse = (what: string): never => {
      throw refused(what, start, written.length);
    };
    if (FOREIGN_OPERATORS.includes(written)) refuse(`the operator "${written}" is not allowed`);
    if (kind === 'number' && !Number.isFinite(Number(written))) refuse(`${written} is too large a number`);
    if (written === '(') open += 1;
    if (written === ')') open -= 1;
    if (written === '?') {
      conditionals += 1;
      unanswered += 1;
    }
    if (written === ':' && (unanswered -= 1) < 0) refuse('":" is not allowed: ranges do not exist here');
    if (open + conditionals > depth)
      refuse(`at most ${depth} parentheses and conditionals inside one another`);
    if ((count += 1) > most) refuse(`at most ${most} numbers, names and symbols`);
    yield token;
    start += written.length;
  }
}

/**
 * The message, the part of the expression around the place, and a caret under it.
 *
 * @param start - characters before the place
 */
export function pointAt(text: string, label: string, what: string, start: number, length: number): string {
  const from = Math.max(0, start - CHARACTERS_BEFORE);
  const to = Math.min(text.length, start + CHARACTERS_AFTER);
  // characters that move the cursor or hide would put the caret in the wrong place
  const shown = text.slice(from, to).replace(/[^\x20-\x7e]/g, '·');
  const before = from > 0 ? '…' : '';
  const caret =
    ' '.repeat(before.length + start - from) + '^'.repeat(Math.max(1, Math.min(length, to - start)));
  return `${label}: ${what} (column ${start + 1}).\n  ${before}${shown}${to < text.length ? '…' : ''}\n  ${caret}`;
}

const CHARACTERS_BEFORE = 60;
const CHARACTERS_AFTER = 40;

function tokenAt(text: string, start: number): Token | undefined {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = start;
    const match = pattern.exec(text);
    if (match) return { kind, text: match[0], start };
  }
  return undefined;
}

function refusalAt(text: string, start: number): string {
  for (const [pattern, why] of REFUSALS) {
    pattern.lastIndex = start;
    const match = pattern.exec(text);
    if (match) return why(match[0]);
  }
  const character = text[start];
  if (/[%!&|~#@$;\\]/.test(character)) return `the operator "${character}" is not allowed`;
  const code = text.codePointAt(start)!;
  return `the character U+${code.toString(16).toUpperCase().padStart(4, '0')} is not allowed`;
}
