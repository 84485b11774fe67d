export function libraryProgram(): string;
