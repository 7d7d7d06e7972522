/** Rules for the names that the zone holds. Pure: no look-up, uniqueness is the store's. */

/** Wire format: 255 bytes with the length bytes and the root label, so 253 characters of text. */
const maxNameLength = 253;
const maxLabelLength = 63;
/** No valid name has more labels; a hostile one is not walked beyond them. */
const maxLabels = 128;

/** The name of the zone's own name server, as in its NS and SOA records. Nobody else may have it. */
export function nameServerName(zone: string): string {
  return `ns.${zone}`;
}

/**
 * Checks the `dnsName` of a host.
 *
 * @param name fully qualified, as the user gave it: `greenhouse-1.instances.test`
 * @param zone the zone it must lie inside, itself valid: `instances.test`
 * @returns every problem, each a sentence that says what to do; empty when the name is fine
 */
export function checkDnsName(name: string, zone: string): string[] {
  const problems = checkDomain(name);
  const bare = name.replace(/\.$/, '').toLowerCase();
  if (bare === zone) {
    problems.push(
      `${quote(name)} is the zone itself: put a label before it, as in "host-1.${zone}".`,
    );
  } else if (name !== '' && !bare.endsWith(`.${zone}`)) {
    problems.push(`${quote(name)} lies outside the zone: it must end with ".${zone}".`);
  } else if (bare === nameServerName(zone)) {
    problems.push(`${quote(name)} is the name server's own name: choose another label.`);
  }
  return problems;
}

/**
 * Checks the name of a zone, `DNS_ZONE`.
 *
 * @returns every problem; empty when it can be served. A zone leaves room for a label before it.
 */
export function checkZoneName(zone: string): string[] {
  const problems = checkDomain(zone);
  // Two characters for the shortest label and its dot; `ns.` needs three, `hostmaster.` eleven.
  const longest = maxNameLength - 'hostmaster.'.length;
  if (zone.length > longest && zone.length <= maxNameLength) {
    problems.push(`A zone has at most ${longest} characters, this one ${zone.length}: shorten it.`);
  }
  return problems;
}

function checkDomain(name: string): string[] {
  if (name === '') return ['The name is empty: give one such as "host-1.instances.test".'];
  const problems: string[] = [];
  if (name.endsWith('.')) problems.push(`${quote(name)} ends with a dot: leave the final dot out.`);
  const text = name.replace(/\.$/, '');
  if (text !== text.toLowerCase()) {
    problems.push(`${quote(name)} has upper-case letters: write it in lower case.`);
  }
  if (text.length > maxNameLength) {
    problems.push(
      `A name has at most ${maxNameLength} characters, this one ${text.length}: shorten it.`,
    );
  }
  const labels = text.split('.', maxLabels);
  problems.push(...new Set(labels.flatMap((label) => checkLabel(label.toLowerCase()))));
  return problems;
}

function checkLabel(label: string): string[] {
  if (label === '') return ['A label is empty: write exactly one dot between labels.'];
  const problems: string[] = [];
  if (label.length > maxLabelLength) {
    problems.push(
      `The label ${quote(label)} has ${label.length} characters: at most ${maxLabelLength} are allowed.`,
    );
  }
  if (!/^[a-z0-9-]*$/.test(label)) {
    problems.push(`The label ${quote(label)} may hold only letters a to z, digits and hyphens.`);
  }
  if (label.startsWith('-') || label.endsWith('-')) {
    problems.push(`The label ${quote(label)} may not start or end with a hyphen.`);
  }
  return problems;
}

/** For a message: control and invisible characters escaped, long text cut. */
function quote(text: string): string {
  const short = text.length > maxLabelLength ? `${text.slice(0, maxLabelLength)}…` : text;
  const escaped = (character: string) => `\\u{${character.codePointAt(0)?.toString(16)}}`;
  return JSON.stringify(short).replace(/\p{Cc}|\p{Cf}/gu, escaped);
}
