// Numbers as the page writes and reads them.

/** A number in at most four digits, with a true minus sign. */
export function number(value) {
  const short = Number.isInteger(value) ? value : Number(value.toPrecision(4));
  return String(short).replace("-", "−");
}

/** A number as a factor, in parentheses where it is negative. */
export const factor = (value) => (value < 0 ? `(${number(value)})` : number(value));

/** What was typed as a number, or null where it is none. */
export function parsed(text) {
  const plain = text.trim().replace("−", "-").replace(",", ".");
  const value = Number(plain);
  return plain !== "" && Number.isFinite(value) ? value : null;
}
