/**
 * What we change in postgres.js 3.4.9, as exact replacements (see apply.mjs).
 *
 * Released, a backend that dies can end the process (a write to a null socket from a timer, rejections
 * that nobody holds) and can hand a later session what belonged to the dead one: stale bytes, a stale
 * query that swallows the next answer, a dead transaction's statements. test/store/backend-death.test.ts
 * has a case for each. Both builds in the package, `src` and `cjs/src`, get the same edits.
 */
export const patch = {
  package: 'postgres',
  version: '3.4.9',
  /** Digest of the edits. The patched driver carries it, and a start asks for it: postgres.ts. */
  digest: 'c9782176deac',
  folders: ['src', 'cjs/src'],
  edits: [
    {
      file: 'connection.js',
      why: 'Sessions are counted, so that index.js knows when a transaction has lost its own.',
      from: `    end,
    count: 0,
    id
  }
`,
      to: `    end,
    count: 0,
    epoch: 0,
    id
  }
`,
    },
    {
      file: 'connection.js',
      why: 'A query for a session that is gone is refused, not queued where no one answers.',
      from: `    if (terminated)
      return queryError(q, Errors.connection('CONNECTION_DESTROYED', options))

    if (stream)
`,
      to: `    if (terminated)
      return queryError(q, Errors.connection('CONNECTION_DESTROYED', options))

    if (!socket)
      return queryError(q, Errors.connection('CONNECTION_CLOSED', options))

    if (stream)
`,
    },
    {
      file: 'connection.js',
      why: 'The fault that ends the process: nextWrite, from a timer, on a null socket.',
      from: `  function write(x, fn) {
    chunk = chunk`,
      to: `  function write(x, fn) {
    if (!socket)
      return true

    chunk = chunk`,
    },
    {
      file: 'connection.js',
      why: 'The same for a timer that was set before the socket went.',
      from: `  function nextWrite(fn) {
    const x = socket.write(chunk, fn)
`,
      to: `  function nextWrite(fn) {
    if (!socket || !chunk)
      return (chunk = nextWriteTimer = null, true)

    const x = socket.write(chunk, fn)
`,
    },
    {
      file: 'connection.js',
      why: 'The connect timer may fire when the socket is gone.',
      from: `options, socket))
    socket.destroy()
  }

  async function secure() {`,
      to: `options, socket))
    socket && socket.destroy()
  }

  async function secure() {`,
    },
    {
      file: 'connection.js',
      why: 'A reconnect whose query was rejected meanwhile would open a connection that no one ends.',
      from: '    setTimeout(connect, closedTime ?',
      to: '    setTimeout(() => initial && connect(), closedTime ?',
    },
    {
      file: 'connection.js',
      why: 'A cleared timer that still counts as set: the next session would never write.',
      from: `    clearImmediate(nextWriteTimer)
    if (socket) {
`,
      to: `    clearImmediate(nextWriteTimer)
    nextWriteTimer = chunk = null
    if (socket) {
`,
    },
    {
      file: 'connection.js',
      why: `The same, and all that belongs to the dead session is rejected and forgotten. Released: a query sent between
        'error' and 'close' is kept and later takes another query's answer; the last error of the dead session
        rejects the first query of the next; end() waits for ever for a query whose backend has died.`,
      from: `    clearImmediate(nextWriteTimer)
    socket.removeListener('data', data)
    socket.removeListener('connect', connected)
    idleTimer.cancel()
    lifeTimer.cancel()
    connectTimer.cancel()

    socket.removeAllListeners()
    socket = null

    if (initial)
      return reconnect()

    !hadError && (query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))
    closedTime`,
      to: `    clearImmediate(nextWriteTimer)
    nextWriteTimer = chunk = null
    socket.removeListener('data', data)
    socket.removeListener('connect', connected)
    idleTimer.cancel()
    lifeTimer.cancel()
    connectTimer.cancel()

    socket.removeAllListeners()
    socket = null

    const lost = Errors.connection('CONNECTION_CLOSED', options)
    stream && stream.destroy(lost)
    final && final(lost)
    query && queryError(query, lost)
    while (sent.length)
      queryError(sent.shift(), lost)
    query = stream = final = results = errorResponse = null
    result = new Result()
    rows = 0

    if (initial)
      return reconnect()

    ended && (ended(), ending = ended = null)
    closedTime`,
    },
    {
      file: 'connection.js',
      why: 'A rejection that nobody holds: the backend dies while the array types are fetched.',
      from: '        return fetchArrayTypes()\n',
      to: '        return fetchArrayTypes().catch(noop)\n',
    },
    {
      file: 'connection.js',
      why: 'A rejection that nobody holds: the backend dies while its state is asked for.',
      from: `    query.execute()
  }

  function ErrorResponse`,
      to: `    query.catch(noop)
  }

  function ErrorResponse`,
    },
    {
      file: 'connection.js',
      why: 'A rejection that nobody holds: the password callback or the handshake fails.',
      from: `  async function Authentication(x, type = x.readUInt32BE(5)) {
    (
      type === 3`,
      to: `  async function Authentication(x, type = x.readUInt32BE(5)) {
    const alive = socket
    try { await (
      type === 3`,
    },
    {
      file: 'connection.js',
      why: 'The other half of the edit above.',
      from: `      noop
    )(x, type)
  }

  /* c8 ignore next 5 */
  async function AuthenticationCleartext`,
      to: `      noop
    )(x, type) } catch (err) {
      alive && alive === socket && (errored(err), socket.destroy())
    }
  }

  /* c8 ignore next 5 */
  async function AuthenticationCleartext`,
    },
    {
      file: 'connection.js',
      why: 'A cursor whose backend dies while its rows are handled.',
      from: `    try {
      const x = await Promise.resolve(query.cursorFn(result))
      rows = 0
      x === CLOSE`,
      to: `    const alive = socket, suspended = query
    try {
      const x = await Promise.resolve(query.cursorFn(result))
      if (alive !== socket)
        return
      rows = 0
      x === CLOSE`,
    },
    {
      file: 'connection.js',
      why: 'The other half of the edit above.',
      from: `    } catch (err) {
      write(Sync)
      query.reject(err)
    }
`,
      to: `    } catch (err) {
      alive === socket && write(Sync)
      suspended.reject(err)
    }
`,
    },
    {
      file: 'index.js',
      why: `A reserved connection whose backend died must not write to the next session, nor give it back
        twice, nor keep queries waiting that no one will send; a failed reserve must not take a connection.`,
      from: `        const query = { reserve: resolve, reject }
`,
      to: `        const query = { reserve: resolve, reject: e => (queries.remove(query), reject(e)) }
`,
    },
    {
      file: 'index.js',
      why: 'The other half of the edit above.',
      from: `    c.reserved.release = true

    const sql = Sql(handler)
    sql.release = () => {
      c.reserved = null
      onopen(c)
    }

    return sql

    function handler(q) {
      c.queue === full
`,
      to: `    c.reserved.release = true
    const epoch = c.epoch
    c.onlost = e => { while (queue.length) queue.shift().reject(e) }

    const sql = Sql(handler)
    sql.release = () => {
      if (c.epoch !== epoch)
        return
      c.reserved = null
      onopen(c)
    }

    return sql

    function handler(q) {
      if (c.epoch !== epoch)
        return q.reject(Errors.connection('CONNECTION_CLOSED', options))
      c.queue === full
`,
    },
    {
      file: 'index.js',
      why: `A transaction whose backend died must not go on in the next session, where its statements would commit one
        by one, or inside another's transaction. Its rollback is what most often wrote to the null socket.`,
      from: `        q.catch(e => uncaughtError || (uncaughtError = e))
        c.queue === full
`,
      to: `        q.catch(e => uncaughtError || (uncaughtError = e))
        if (c.epoch !== epoch)
          return q.reject(Errors.connection('CONNECTION_CLOSED', options))
        c.queue === full
`,
    },
    {
      file: 'index.js',
      why: 'The other half of the edit above.',
      from: `    function onexecute(c) {
      connection = c
`,
      to: `    function onexecute(c) {
      connection = c
      epoch = c.epoch
      c.onlost = e => { while (queries.length) queries.shift().reject(e) }
`,
    },
    {
      file: 'index.js',
      why: 'The other half of the edit above.',
      from: `    let savepoints = 0
      , connection
      , prepare = null
`,
      to: `    let savepoints = 0
      , connection
      , epoch
      , prepare = null
`,
    },
    {
      file: 'index.js',
      why: 'A start sees by the mark that the driver is patched.',
      from: `Object.assign(Postgres, {
  PostgresError,
`,
      to: `Object.assign(Postgres, {
  patched: '$MARK',
  PostgresError,
`,
    },
    {
      file: 'index.js',
      why: 'The session ends: what waits for it is rejected, what still names it is refused.',
      from: `    move(c, closed)
    c.reserved = null
`,
      to: `    move(c, closed)
    c.epoch++
    c.onlost && (c.onlost(e), c.onlost = null)
    c.reserved = null
`,
    },
  ],
};
