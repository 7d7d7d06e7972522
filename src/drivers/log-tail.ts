/** The end of the output of a program, as it is shown to people. */

export const tailBytes = 4096;

/**
 * Keeps the last 4 KiB of a text, and escapes control characters but line ends.
 *
 * @param cut the text begins in the middle of a line, which is left out
 */
export function escapeTail(text: string, cut: boolean): string {
  const firstLine = cut ? text.indexOf('\n') + 1 : 0;
  const escaped = text
    .slice(firstLine)
    .trimEnd()
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it escapes
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/g, (character) =>
      character === '\t' ? '\\t' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  return Buffer.from(escaped)
    .subarray(-tailBytes)
    .toString('utf8')
    .replace(/^\ufffd+/, '');
}
