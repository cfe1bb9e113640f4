// What the programs beside this file share: how they are told things, and how they tell what happened.
import { createInterface } from 'node:readline/promises'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

export const read = () => JSON.parse(process.argv[2])
export const say = (value) => process.stdout.write(JSON.stringify(value) + '\n')
export const decided = async () => (await lines.next()).value
export const come_back = async () => new URL(await decided())

// A call that may be refused: its JSON, or the error as the library reports it.
export async function answer(call) {
  try {
    const got = await call()
    return got instanceof Response || got?.json ? { status: got.status, body: await got.json() } : { status: 200, body: got }
  } catch (problem) {
    const challenge = Array.isArray(problem.cause) ? problem.cause[0]?.parameters : undefined
    return { status: problem.status, error: problem.error ?? challenge?.error ?? problem.message, code: problem.code }
  }
}

process.on('uncaughtException', (problem) => {
  const { name, code, error, error_description, message } = problem
  say({ failed: { name, code, error, error_description, message, cause: String(problem.cause?.message ?? problem.cause) } })
  process.exit(1)
})
process.stdin.on('end', () => process.exit())
