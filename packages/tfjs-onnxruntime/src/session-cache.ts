import { sizeOf } from './graph.js';
import { encodeModel } from './onnx-model.js';
import type { KeyedOutline } from './outline.js';
import { Session, type SessionOptions } from './session.js';

/** A graph whose largest tensor is smaller than this runs on one thread; waking another costs more than it brings. */
const ELEMENTS_WORTH_THREADS = 16_384;

export interface CacheStatistics {
  /** Sessions held. */
  readonly sessions: number;
  /** Nodes in all of them. */
  readonly nodes: number;
  readonly hits: number;
  readonly misses: number;
}

interface Entry {
  readonly session: Session;
  readonly nodes: number;
}

/** Sessions by structure; the one used longest ago leaves when there are too many or their graphs grow too large. */
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
    const known = this.entries.get(outline.key);
    if (known) {
      this.hits += 1;
      this.entries.delete(outline.key);
      this.entries.set(outline.key, known);
      return known.session;
    }
    this.misses += 1;
    const session = createSession(outline, this.options);
    this.entries.set(outline.key, { session, nodes: outline.nodes.length });
    this.nodes += outline.nodes.length;
    for (const [key, entry] of this.entries) {
      if (this.entries.size <= this.maxSessions && this.nodes <= this.maxNodes) break;
      if (key !== outline.key) this.drop(key, entry);
    }
    return session;
  }

  clear(): void {
    for (const [key, entry] of this.entries) this.drop(key, entry);
  }

  private drop(key: string, { session, nodes }: Entry): void {
    session.dispose();
    this.entries.delete(key);
    this.nodes -= nodes;
  }
}

/** Compiles a graph. */
export function createSession(outline: KeyedOutline, options: SessionOptions): Session {
  const large = outline.nodes.some((node) =>
    node.outputs.some(({ shape }) => sizeOf(shape) >= ELEMENTS_WORTH_THREADS),
  );
  const threads = large ? options.threads : 1;
  return new Session(encodeModel(outline), outline.inputs, outline.outputs, { ...options, threads });
}
