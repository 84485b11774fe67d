import { appendFileSync } from 'node:fs';
import { Writable } from 'node:stream';

import winston from 'winston';

import { showControls } from '../errors.js';

/** From what is always shown to what is shown when asked for. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
/** A logger of winston. */
export type Logger = winston.Logger;

/** Where log lines go. */
export interface LoggerOptions {
  /** Where JSON lines with timestamps go, for example `runs/x/log.jsonl`; without it there is no log file. */
  file?: string;
  /** The least important level that is logged. @defaultValue 'info' */
  level?: LogLevel;
  /** Short lines for people; `true` is the standard error stream, as standard output is for results. */
  console: boolean | NodeJS.WritableStream;
}

const { combine, json, printf, timestamp } = winston.format;

const forPeople = printf(({ level, message }) => {
  const prefix = level === 'info' ? '' : `${level === 'warn' ? 'warning' : level}: `;
  return `${prefix}${String(message).split('\n').map(showControls).join('\n')}`;
});

/** Appends line by line, so that a killed process has logged all it said; a full disk costs the log, not the run. */
function fileStream(file: string, console: NodeJS.WritableStream | undefined): Writable {
  let broken = false;
  return new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      try {
        if (!broken) appendFileSync(file, line);
      } catch (error) {
        broken = true;
        console?.write(
          `warning: ${file} cannot be written (${(error as Error).message}); no more is logged there\n`,
        );
      }
      done();
    },
  });
}

/** A logger that writes what it is told and nothing else: no environment variables, host or user names. */
export function createLogger({ file, level = 'info', console }: LoggerOptions): Logger {
  const consoleStream = console === true ? process.stderr : console === false ? undefined : console;
  const transports: winston.transport[] = [];
  if (consoleStream)
    transports.push(new winston.transports.Stream({ stream: consoleStream, format: forPeople }));
  if (file !== undefined) {
    transports.push(
      new winston.transports.Stream({
        stream: fileStream(file, consoleStream),
        format: combine(timestamp(), json()),
      }),
    );
  }
  return winston.createLogger({ level, transports, silent: transports.length === 0 });
}

/** Waits until everything said so far is written. The logger cannot be used afterwards. */
export function closeLogger(logger: Logger): Promise<void> {
  return new Promise((resolve) => {
    logger.once('finish', resolve);
    logger.end();
  });
}
