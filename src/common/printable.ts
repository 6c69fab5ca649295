/**
 * Text from a file as it may appear in a one-line message: control characters, line and direction marks escaped, and
 * cut after `length` characters.
 */
export function printable(text: string, length = 100): string {
  const cut = text.length > length ? `${text.slice(0, length)}…` : text;
  return cut.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
