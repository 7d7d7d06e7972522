/**
 * SQL composed of pieces. The text depends on the shape alone (which pieces, how many rows, which
 * columns are null in all rows), never on the values. Each shape is written out once, and the
 * database prepares each text once.
 */
import type { Parameter } from '../database/database.ts';

/** A parameter, another piece, rows, or a comma-separated list of pieces. */
type Part = Parameter | Sql | Rows | readonly Sql[];
export type Row = Readonly<Record<string, unknown>>;

/** Cached texts. In practice there are far fewer shapes. */
const maxCachedTexts = 2_000;
/**
 * A longer list is passed as one JSON parameter; otherwise each length would be a shape of its own.
 */
const maxUnrolledItems = 4;

let ids = 0;
const idOfTemplate = new WeakMap<TemplateStringsArray, number>();
const texts = new Map<string, string>();

/**
 * A piece of SQL. A value that is not a piece becomes a parameter; the text around it must cast it.
 */
export class Sql {
  readonly strings: TemplateStringsArray;
  readonly parts: readonly Part[];

  constructor(strings: TemplateStringsArray, parts: readonly Part[]) {
    this.strings = strings;
    this.parts = parts;
  }
}

/** Makes a piece: sql`id = ${id}::uuid`. */
export function sql(strings: TemplateStringsArray, ...parts: Part[]): Sql {
  return new Sql(strings, parts);
}

/**
 * A piece made at module load. Each call makes a new shape, so it must not be called per statement.
 */
export function raw(text: string): Sql {
  return new Sql(Object.assign([text], { raw: [text] }), []);
}

/** Names and SQL types of columns. `jsonb` takes any value, an array type an array of words. */
export class Columns {
  readonly id = ids++;
  readonly types: readonly (readonly [name: string, type: string])[];

  constructor(types: Readonly<Record<string, string>>) {
    this.types = Object.entries(types);
  }
}

/** Rows as an item of FROM with the alias `v` and these columns; at least one row. */
export class Rows {
  readonly rows: readonly Row[];
  readonly columns: readonly Columns[];

  constructor(rows: readonly Row[], ...columns: readonly Columns[]) {
    this.rows = rows;
    this.columns = columns;
  }
}

/** The whole text, and its parameters in order. */
export function compile(whole: Sql): { text: string; parameters: Parameter[] } {
  const parameters: Parameter[] = [];
  const shape = collect(whole, parameters);
  let text = texts.get(shape);
  if (text === undefined) {
    text = write(whole, { parameters: 0 }).replace(/\s+/g, ' ');
    if (texts.size >= maxCachedTexts) texts.clear();
    texts.set(shape, text);
  }
  return { text, parameters };
}

/** Collects the parameters and returns the shape. */
function collect(part: Part, parameters: Parameter[]): string {
  if (part instanceof Sql) {
    let id = idOfTemplate.get(part.strings);
    if (id === undefined) {
      id = ids++;
      idOfTemplate.set(part.strings, id);
    }
    let shape = `${id}`;
    for (const each of part.parts) {
      if (typeof each === 'object' && each !== null) shape += `(${collect(each, parameters)})`;
      else parameters.push(each);
    }
    return shape;
  }
  if (part instanceof Rows) return collectRows(part, parameters);
  let shape = '';
  for (const each of part as readonly Sql[]) shape += `${collect(each, parameters)},`;
  return shape;
}

function collectRows({ rows, columns }: Rows, parameters: Parameter[]): string {
  if (rows.length > maxUnrolledItems) {
    parameters.push(JSON.stringify(rows));
    return columns.reduce((shape, { id }) => `${shape}${id}.`, 'many');
  }
  let shape = `${rows.length}`;
  for (const { id, types } of columns) {
    shape += `.${id}`;
    for (const [name, type] of types) {
      const used = isUsed(rows, name);
      shape += used ? '+' : '-';
      if (used) for (const row of rows) parameters.push(literal(row[name], type));
    }
  }
  return shape;
}

/** Is the column non-null in some row? A column that is null in all rows needs no parameter. */
function isUsed(rows: readonly Row[], name: string): boolean {
  for (const row of rows) if (row[name] != null) return true;
  return false;
}

function literal(value: unknown, type: string): Parameter {
  if (value == null) return null;
  if (type === 'jsonb') return JSON.stringify(value);
  if (type.endsWith('[]')) return `{${(value as readonly string[]).join(',')}}`;
  return value as Parameter;
}

/** Writes the text, with the parameters numbered in the order of `collect`. */
function write(part: Part, count: { parameters: number }): string {
  if (part instanceof Sql) {
    const written = part.parts.map((each) => write(each, count));
    return part.strings.reduce((text, next, at) => `${text}${written[at - 1]}${next}`);
  }
  if (part instanceof Rows) return writeRows(part, count);
  if (Array.isArray(part)) return part.map((each: Sql) => write(each, count)).join(', ');
  count.parameters += 1;
  return `$${count.parameters}`;
}

function writeRows({ rows, columns }: Rows, count: { parameters: number }): string {
  const types = columns.flatMap((each) => each.types);
  if (rows.length > maxUnrolledItems) {
    count.parameters += 1;
    const definition = types.map(([name, type]) => `${name} ${type}`).join(', ');
    return `jsonb_to_recordset($${count.parameters}::text::jsonb) as v(${definition})`;
  }
  const byColumn = types.map(([name, type]) => {
    const cast = type === 'jsonb' || type.endsWith('[]') ? `text::${type}` : type;
    const used = isUsed(rows, name);
    return rows.map(() => {
      if (used) count.parameters += 1;
      return `${used ? `$${count.parameters}` : 'null'}::${cast}`;
    });
  });
  const tuples = rows.map((_, at) => `(${byColumn.map((column) => column[at]).join(', ')})`);
  return `(values ${tuples.join(', ')}) as v(${types.map(([name]) => name).join(', ')})`;
}
