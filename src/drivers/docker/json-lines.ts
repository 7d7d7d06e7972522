/** The answers of an engine that come bit by bit: a JSON object on each line. */
import type { Readable } from 'node:stream';

/** Hands over each object as it comes. Resolves at the end; rejects where the answer is cut off. */
export async function readJsonLines<T>(stream: Readable, take: (object: T) => void): Promise<void> {
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') take(JSON.parse(line) as T);
  }
  if (rest.trim() !== '') take(JSON.parse(rest) as T);
}
