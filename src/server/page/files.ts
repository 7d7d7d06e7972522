/** The files of a page, in memory and in a build. */
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

export const pageNames = ['console', 'graphiql'] as const;
export type PageName = (typeof pageNames)[number];

export interface CompiledPage {
  readonly digest: string;
  /** By name: `main.js`, `main.css`, … */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Endings of the files that are sent compressed. */
export const compressed: readonly string[] = ['.js', '.css', '.svg', '.ttf'];
/** Endings of the compressed files of a build, by the name of the encoding; the first that a browser takes is sent. */
export const encodings: Readonly<Record<string, string>> = { br: '.br', gzip: '.gz' };

/** The encoding in which a text is sent. Undefined: as it is. */
export function encodingFor({ headers }: IncomingMessage): string | undefined {
  const accepted = headers['accept-encoding'] ?? '';
  return Object.keys(encodings).find((each) => new RegExp(`\\b${each}\\b`).test(String(accepted)));
}

export const brotli = (content: Uint8Array, quality: number): Promise<Uint8Array> =>
  promisify(brotliCompress)(content, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: quality,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  });
