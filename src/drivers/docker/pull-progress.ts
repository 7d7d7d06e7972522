/** How far a pull is, from the steps that an engine tells of each layer. Pure. */

/** A line of the answer to a pull. */
export interface PullStep {
  readonly id?: string;
  readonly status?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

interface Layer {
  current: number;
  total: number;
  isDone: boolean;
}

const done = ['Pull complete', 'Already exists'];
/** A layer is loaded, and then extracted: the loading counts for most of it. */
const shareOfLoading = 0.8;

export class PullProgress {
  readonly #layers = new Map<string, Layer>();
  #fraction = 0;

  /** Null: the step tells nothing new. The fraction never falls. */
  take({ id, status = '', progressDetail }: PullStep): { fraction: number; text: string } | null {
    if (id === undefined || status.startsWith('Pulling from')) return null;
    const layer = this.#layers.get(id) ?? { current: 0, total: 0, isDone: false };
    this.#layers.set(id, layer);
    if (done.includes(status)) layer.isDone = true;
    else if (status === 'Download complete') layer.current = layer.total;
    else if (status === 'Downloading') {
      layer.current = progressDetail?.current ?? layer.current;
      layer.total = progressDetail?.total ?? layer.total;
    }
    const layers = [...this.#layers.values()];
    const sum = layers.reduce((total, each) => total + partOf(each), 0);
    this.#fraction = Math.max(this.#fraction, sum / layers.length);
    return { fraction: this.#fraction, text: textOf(layers) };
  }
}

const partOf = ({ current, total, isDone }: Layer): number =>
  isDone ? 1 : total > 0 ? (current / total) * shareOfLoading : 0;

function textOf(layers: readonly Layer[]): string {
  const complete = layers.filter(({ isDone }) => isDone).length;
  const [current, total] = (['current', 'total'] as const).map((key) =>
    layers.reduce((sum, each) => sum + each[key], 0),
  );
  const bytes = total ? `, ${megabytes(current ?? 0)} of ${megabytes(total)} MB` : '';
  return `Pulling: ${complete} of ${layers.length} layers${bytes}`;
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
