/** Media types of requests and responses (RFC 9110, 8.3 and 12.5.1). They have no case. */
import type { IncomingHttpHeaders } from 'node:http';

const token = "[!#$%&'*+.^_`|~\\w-]+";
const parameter = `${token}=(?:${token}|"(?:[^"\\\\]|\\\\.)*")`;
const mediaType = new RegExp(`^(${token}/${token})((?:\\s*;\\s*(?:${parameter})?)*)$`);
const charsets = /;\s*charset=("?)([^\s;"]*)\1/gi;
const json = ['application/json'];
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Why a body with these headers is not JSON in UTF-8, saying what is taken, or null where it is. */
export function jsonRefusal(
  headers: Pick<IncomingHttpHeaders, 'content-type' | 'content-encoding'>,
  types: readonly string[] = json,
): string | null {
  const [, type = '', parameters = ''] =
    mediaType.exec((headers['content-type'] ?? '').trim()) ?? [];
  const isUtf8 = [...parameters.matchAll(charsets)].every(([, , name = '']) =>
    /^utf-?8$/i.test(name),
  );
  const encoding = headers['content-encoding'] ?? 'identity';
  if (types.includes(type.toLowerCase()) && isUtf8 && encoding.toLowerCase() === 'identity')
    return null;
  return 'Send JSON with Content-Type: application/json, in UTF-8 and uncompressed.';
}

/** Whether an `Accept` takes one of these types. */
export function accepts(accept: string, types: readonly string[]): boolean {
  if (accept.trim() === '') return true;
  return accept.split(',').some((each) => {
    const [range = '', ...parameters] = each.split(';').map((part) => part.trim().toLowerCase());
    if (parameters.some((part) => /^q=0(\.0*)?$/.test(part))) return false;
    return (
      range === '*/*' ||
      types.some((type) => range === type || range === `${type.split('/', 1)[0]}/*`)
    );
  });
}

/** The text of a body, or null where it is not UTF-8. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
