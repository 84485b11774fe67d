import { sizeOf, type Value } from './graph.js';
import { encodeModel } from './onnx-model.js';
import type { KeyedOutline } from './outline.js';
import { Session, type PortSpec, type SessionOptions } from './session.js';
import { ParallelSession } from './workers.js';

/** A graph whose largest tensor is smaller than this runs on one thread; waking another costs more than it brings. */
const ELEMENTS_WORTH_THREADS = 16_384;

/** How often a compiled session was found, and how often it had to be made. */
export interface CacheStatistics {
  /** Sessions held. */
  readonly sessions: number;
  /** Nodes in all of them. */
  readonly nodes: number;
  readonly hits: number;
  readonly misses: number;
}

interface Entry {
  readonly session: Session | ParallelSession;
  readonly nodes: number;
  /** Who keeps it: compiled functions, whose sessions never leave by themselves. */
  holders: number;
}

/** A session and how to give it back. */
export interface Held<S> {
  readonly session: S;
  readonly release: () => void;
}

type Create = (outline: KeyedOutline, options: SessionOptions) => Session | ParallelSession;

/**
 * Sessions by structure; the one used longest ago leaves when there are too many or their graphs grow too large, unless a
 * compiled function holds it.
 */
export class SessionCache {
  private readonly entries = new Map<string, Entry>();
  private nodes = 0;
  private hits = 0;
  private misses = 0;

  constructor(
    private readonly maxSessions: number,
    private readonly maxNodes: number,
    private readonly options: SessionOptions,
  ) {}

  get statistics(): CacheStatistics {
    return { sessions: this.entries.size, nodes: this.nodes, hits: this.hits, misses: this.misses };
  }

  session(outline: KeyedOutline): Session {
    return this.entry(outline.key, outline, createSession).session as Session;
  }

  /** A session that stays until it is released as often as it was held; functions of equal structure share one. */
  hold(outline: KeyedOutline): Held<Session> {
    return this.held(outline.key, outline, createSession);
  }

  /** The same for a session that several threads can run. */
  holdParallel(outline: KeyedOutline): Held<ParallelSession> {
    return this.held(`${outline.key} parallel`, outline, createParallelSession);
  }

  clear(): void {
    for (const [key, entry] of this.entries) this.drop(key, entry);
  }

  private held<S extends Session | ParallelSession>(
    key: string,
    outline: KeyedOutline,
    create: Create,
  ): Held<S> {
    const entry = this.entry(key, outline, create);
    entry.holders += 1;
    const release = (): void => {
      entry.holders -= 1;
      // unless the backend was disposed before
      if (entry.holders === 0 && this.entries.get(key) === entry) this.drop(key, entry);
    };
    return { session: entry.session as S, release };
  }

  private entry(key: string, outline: KeyedOutline, create: Create): Entry {
    const known = this.entries.get(key);
    if (known) {
      this.hits += 1;
      this.entries.delete(key);
      this.entries.set(key, known);
      return known;
    }
    this.misses += 1;
    const session = create(outline, this.options);
    const entry = { session, nodes: outline.nodes.length, holders: 0 };
    this.entries.set(key, entry);
    this.nodes += outline.nodes.length;
    this.trim(key);
    return entry;
  }

  private trim(newest: string): void {
    for (const [key, entry] of this.entries) {
      if (this.entries.size <= this.maxSessions && this.nodes <= this.maxNodes) break;
      if (key !== newest && entry.holders === 0) this.drop(key, entry);
    }
  }

  private drop(key: string, { session, nodes }: Entry): void {
    session.dispose();
    this.entries.delete(key);
    this.nodes -= nodes;
  }
}

/** Types and shapes alone: a value knows its node, and through it a session would keep the whole recording alive. */
function ports(values: readonly Value[]): PortSpec[] {
  return values.map(({ type, shape }) => ({ type, shape }));
}

/** Compiles a graph. */
function createSession(outline: KeyedOutline, options: SessionOptions): Session {
  const large = outline.nodes.some((node) =>
    node.outputs.some(({ shape }) => sizeOf(shape) >= ELEMENTS_WORTH_THREADS),
  );
  const threads = large ? options.threads : 1;
  return new Session(encodeModel(outline), ports(outline.inputs), ports(outline.outputs), {
    ...options,
    threads,
  });
}

/** Compiles a graph for several threads, each of which runs it alone. */
function createParallelSession(outline: KeyedOutline, options: SessionOptions): ParallelSession {
  // copied, because the writer's memory is larger than what was written, and workers get copies of it
  return new ParallelSession(encodeModel(outline).slice(), ports(outline.inputs), ports(outline.outputs), {
    // beyond 'basic' ONNX Runtime would multiply by transposed matrices, which costs more on one thread than turning them
    ...options,
    optimisation: options.optimisation ?? 'basic',
  });
}
