/** Text that PostgreSQL cannot hold: the character U+0000 and surrogates that are not in a pair. */

/** Can PostgreSQL hold this text? */
export const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes('\0');

/** The text with U+FFFD for each character that PostgreSQL cannot hold. No key or id has that. */
export const storable = (text: string): string =>
  isStorable(text) ? text : text.toWellFormed().replaceAll('\0', '\ufffd');
