import { RegistryError } from './errors.js';
import { suggestion } from './options.js';

/** A named set of things that users pick by flag. Importing a package registers nothing; its `register` function does. */
export class Registry<Entry extends { description: string }> {
  private readonly entries = new Map<string, Entry>();

  /** @param kind - what the entries are, for messages: `environment`, `algorithm` */
  constructor(readonly kind: string) {}

  /** @throws {RegistryError} when the name is taken */
  register(name: string, entry: Entry): void {
    if (this.entries.has(name)) throw new RegistryError(`The ${this.kind} "${name}" is registered already.`);
    this.entries.set(name, entry);
  }

  /** @throws {RegistryError} naming the known entries and the nearest one */
  get(name: string): Entry {
    const entry = this.entries.get(name);
    if (entry) return entry;
    const known = this.names();
    throw new RegistryError(
      `Unknown ${this.kind} "${name}". Known: ${known.join(', ')}.${suggestion(name, known)}`,
    );
  }

  /** The names in alphabetical order. */
  names(): string[] {
    return [...this.entries.keys()].sort();
  }

  /** Names and entries in alphabetical order. */
  list(): [name: string, entry: Entry][] {
    return this.names().map((name) => [name, this.entries.get(name)!]);
  }
}
