/** Problem details (RFC 9457): every error this service answers has this one shape. */
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { isServiceError } from '../core/errors.ts'

export interface Problem {
  readonly status: ContentfulStatusCode
  /** Short, the same for every occurrence. */
  readonly title: string
  /** What happened here, and the mend. */
  readonly detail: string
  /** `ErrorCode`, or a code of this API in the same style. */
  readonly code: string
  /** Members of their own, for programs. */
  readonly more?: Readonly<Record<string, unknown>>
}

/** Thrown inside a route, answered by `answerError`. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail)
    this.problem = problem
  }
}

export function badRequest(detail: string): ProblemError {
  return new ProblemError({ status: 400, title: 'Bad request', detail, code: 'INPUT_INVALID' })
}

export function notFound(detail: string): ProblemError {
  return new ProblemError({ status: 404, title: 'Not found', detail, code: 'NOT_FOUND' })
}

export function answerProblem(c: Context, problem: Problem): Response {
  const { status, title, detail, code, more } = problem
  const body = { type: 'about:blank', title, status, detail, code, instance: c.req.path, ...more }
  if (status === 503) c.header('retry-after', '1')
  return c.body(JSON.stringify(body), status, { 'content-type': 'application/problem+json' })
}

/** An expected failure says what to do; a bug tells the caller nothing and `report` everything. */
export function answerError(
  c: Context,
  error: unknown,
  report: (error: unknown) => void,
): Response {
  if (error instanceof ProblemError) return answerProblem(c, error.problem)
  if (isServiceError(error)) return answerProblem(c, serviceProblem(error.code, error.message))
  report(error)
  return answerProblem(c, {
    status: 500,
    title: 'Internal error',
    detail: 'a bug in the service; its log has the details',
    code: 'BUG',
  })
}

function serviceProblem(code: string, detail: string): Problem {
  if (code === 'RECORD_TOO_LARGE') return { status: 413, title: 'Content too large', detail, code }
  if (code === 'CONFIG_FIXED') return { status: 409, title: 'Conflict', detail, code }
  if (code === 'CONFIG_INVALID') return { status: 400, title: 'Bad request', detail, code }
  if (code === 'INPUT_INVALID') return { status: 400, title: 'Bad request', detail, code }
  return { status: 503, title: 'Service unavailable', detail, code }
}
