/** What a printed page says in the place of its controls: when it is of, and what it is filtered by. */
import { address } from '../app/router.tsx';
import { now } from './time.tsx';
import { words } from './words.ts';

const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });

export function DateOnPaper() {
  return <p class="on-paper">Instance Manager, as of {format.format(now.value)}</p>;
}

/** The filters, the order and the groups of the address. */
export function FiltersOnPaper() {
  const asked = [...address.value.query].filter(([name, value]) => name !== 'view' && value !== '');
  const texts = asked.map(([name, value]) => {
    if (name === 'text') return `search: ${value}`;
    if (name === 'sort') return `sort: ${value.replace(/^-(.*)/, '$1, last first')}`;
    return `${name}: ${value.split(',').map(told).join(', ')}`;
  });
  return <p class="on-paper">{texts.length > 0 ? texts.join(' · ') : 'Not filtered.'}</p>;
}

/** A name of the API in words; what a person wrote as it is. */
const told = (value: string): string => (/^[A-Z][A-Z_]+$/.test(value) ? words(value) : value);
