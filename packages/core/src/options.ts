import { distance } from 'fastest-levenshtein';
import { type z } from 'zod';

import { ConfigError, type ConfigIssue } from './errors.js';

/** The known name closest to a mistyped one, or `undefined` when none is near. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of known) {
    const d = distance(name.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best !== undefined && bestDistance <= Math.max(2, Math.floor(best.length / 3)) ? best : undefined;
}

/** `, did you mean "clipRange"?` or the empty string. */
export function suggestion(name: string, known: Iterable<string>): string {
  const near = nearestName(name, known);
  return near === undefined ? '' : ` Did you mean "${near}"?`;
}

/** What a schema found wrong, in one line. */
export function zodProblems({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': ')).join('; ');
}

/** The keys that an object schema accepts at a path, looking through defaults and wrappers. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current: unknown = schema;
  const unwrap = (s: unknown): unknown => {
    let inner = s as { def?: { innerType?: unknown; type?: string; options?: unknown[] } };
    while (inner?.def?.innerType !== undefined) inner = inner.def.innerType as typeof inner;
    return inner;
  };
  for (const key of path) {
    const object = unwrap(current) as { shape?: Record<string, unknown> };
    if (!object?.shape) return [];
    current = object.shape[String(key)];
  }
  const object = unwrap(current) as { shape?: Record<string, unknown> };
  return object?.shape ? Object.keys(object.shape) : [];
}

/**
 * Fills in defaults and checks everything at once.
 *
 * @param schema - the one declaration of the options
 * @param input - what the user wrote
 * @param name - what the options are called in messages, for example `ppo`
 * @throws {ConfigError} listing every unknown key (with the nearest known one) and every value out of range
 */
export function resolveOptions<S extends z.ZodType>(schema: S, input: unknown, name: string): z.output<S> {
  const result = schema.safeParse(input ?? {});
  if (result.success) return result.data;
  const issues: ConfigIssue[] = [];
  for (const issue of result.error.issues) {
    const path = [name, ...issue.path.map(String)].filter(Boolean).join('.');
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(schema, issue.path);
      for (const key of issue.keys) {
        const message = `unknown option.${suggestion(key, known)} Known: ${known.join(', ')}.`;
        issues.push({ path: `${path}.${key}`, message });
      }
    } else {
      issues.push({ path, message: describe(issue, input) });
    }
  }
  throw new ConfigError(issues.map((issue) => `${issue.path}: ${issue.message}`).join('\n'), issues);
}

function describe(issue: z.core.$ZodIssue, input: unknown): string {
  let value: unknown = input;
  for (const key of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  const got = value === undefined ? 'nothing' : JSON.stringify(value);
  return `${issue.message.replace(/^Invalid input: /, '')}; got ${got}.`;
}
