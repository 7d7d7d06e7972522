/**
 * The rule by which the log is read without losing or reordering a row; pure.
 *
 * Revisions are drawn before they are committed, so a lower one may become visible after a higher
 * one. An INSERT holds RowExclusiveLock on the log before it draws its revision, and COMMIT makes the
 * row visible before it releases the lock. Hence: every revision that was drawn before a look at the
 * lock and is undecided then belongs to a holder seen in that look; and what belonged to nobody seen
 * there is, in a snapshot taken later, either visible or rolled back.
 *
 *     look at the lock ──► read the rows ──► advance ──► look at the lock ──► …
 *
 * A holder that was absent in the previous look drew its revision after it, so above everything that
 * had been seen by then: that is its floor. All revisions up to the lowest floor are decided.
 * Rows that follow the last decided revision without a gap are decided too, whatever the locks say.
 */

/** What the reader knows. */
export interface ReaderState {
  /** Every revision up to here is decided, and delivered if it was committed. */
  readonly position: number;
  /** The highest revision that was ever visible. */
  readonly top: number;
  /** `top` before the last look at the lock. */
  readonly topAtLook: number;
  /** Of each holder in the last look: all its revisions are above this. */
  readonly floors: ReadonlyMap<string, number>;
}

/** What one snapshot shows above the position: revisions, ascending. */
export interface Snapshot {
  readonly revisions: readonly number[];
  /** There may be more of them than these. */
  readonly full: boolean;
}

/** A reader at a revision that is decided, as all before it are. */
export function readerAt(position: number): ReaderState {
  return { position, top: position, topAtLook: position, floors: new Map() };
}

/** Is something visible that cannot be delivered yet? Then the next read begins with the lock. */
export function hasGap(state: ReaderState): boolean {
  return state.top > state.position;
}

/**
 * Takes in a snapshot; rows up to the new `position` are to be delivered.
 *
 * @param holders who held the lock in a look before the snapshot was taken; null: nobody looked
 */
export function advance(
  state: ReaderState,
  holders: readonly string[] | null,
  { revisions, full }: Snapshot,
): ReaderState {
  let { floors, topAtLook, position } = state;
  if (holders) {
    const floorOfNew = Math.max(topAtLook, position);
    floors = new Map(
      holders.map((holder) => [holder, Math.max(state.floors.get(holder) ?? floorOfNew, position)]),
    );
    topAtLook = state.top;
    const decided = Math.min(state.top, ...floors.values());
    // Of a page that is full only what it reaches was seen.
    position = full ? Math.min(decided, revisions.at(-1) ?? position) : decided;
  }
  for (const revision of revisions) {
    if (revision === position + 1) position = revision;
    else if (revision > position) break;
  }
  const top = Math.max(state.top, position, revisions.at(-1) ?? 0);
  return { position, top, topAtLook, floors };
}

/** The same where one connection makes revision order commit order: a gap is a rollback. */
export function advanceAlone(state: ReaderState, { revisions }: Snapshot): ReaderState {
  return readerAt(Math.max(state.position, revisions.at(-1) ?? 0));
}
