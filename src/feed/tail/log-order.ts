/**
 * The rule by which the log is read without losing or reordering a row; pure.
 *
 * Revisions are drawn before they are committed, so a lower one may become visible after a higher
 * one. An INSERT holds RowExclusiveLock on the log before it draws its revision, and COMMIT makes the
 * row visible before it releases the lock. Therefore a revision that was drawn before a look at the lock,
 * and is undecided at that time, belongs to a holder seen in that look. Any other revision drawn before
 * the look is, in a snapshot taken later, either visible or rolled back.
 *
 *     look at the lock ──► read the rows ──► advance ──► look at the lock ──► …
 *
 * A holder that was absent in the previous look drew its revision after that look, so above everything
 * that had been visible by then: that is its floor. All revisions up to the lowest floor are decided.
 * Rows that follow the last decided revision without a gap are decided too, whoever holds the lock.
 */

/** What the reads so far have shown. */
export interface ReaderState {
  /** Every revision up to here is decided, and delivered if it was committed. */
  readonly position: number;
  /** The highest revision that was ever visible. */
  readonly top: number;
  /** `top` before the last look at the lock. */
  readonly topAtLook: number;
  /** For each holder in the last look: all its revisions are above this one. */
  readonly floors: ReadonlyMap<string, number>;
}

/** The revisions that one snapshot shows above the position, ascending. */
export interface Snapshot {
  readonly revisions: readonly number[];
  /** The page was full, so there may be more. */
  readonly full: boolean;
}

/** The state at a revision up to which everything is decided. */
export function readerAt(position: number): ReaderState {
  return { position, top: position, topAtLook: position, floors: new Map() };
}

/** Whether something is visible that cannot be delivered yet. The next read then looks at the lock first. */
export function hasGap(state: ReaderState): boolean {
  return state.top > state.position;
}

/**
 * Applies a snapshot. Rows up to the new `position` may be delivered.
 *
 * @param holders the holders of the lock in a look before the snapshot was taken; null: there was no look
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
    // A full page shows nothing above its last revision.
    position = full ? Math.min(decided, revisions.at(-1) ?? position) : decided;
  }
  for (const revision of revisions) {
    if (revision === position + 1) position = revision;
    else if (revision > position) break;
  }
  const top = Math.max(state.top, position, revisions.at(-1) ?? 0);
  return { position, top, topAtLook, floors };
}

/** The same on one connection, where the order of revisions is the order of commits: a gap is a rollback. */
export function advanceAlone(state: ReaderState, { revisions }: Snapshot): ReaderState {
  return readerAt(Math.max(state.position, revisions.at(-1) ?? 0));
}
