/** Times as the panels show them: of the viewer's zone, to the millisecond where the order matters. */

const two = (value: number, digits = 2): string => String(value).padStart(digits, '0');

/** `14:03:22.120` */
export function clock(time: number): string {
  return `${second(time)}.${two(new Date(time).getMilliseconds(), 3)}`;
}

/** `14:03:22` */
export function second(time: number): string {
  const date = new Date(time);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((each) => two(each)).join(':');
}
