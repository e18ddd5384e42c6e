// What a secured development broker needs: a certificate authority of its own and a password for each
// user. They are made once, beside the broker's data, readable by their owner only, and never committed.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export class SecretsError extends Error {}

/** `admin` may do everything; the others what `foreshock topics grant` gives them. */
const USERS = ['admin', 'ingest', 'watcher', 'coordinator', 'console', 'recorder', 'agent']

const DAYS = '365'
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
/** Brokers are reached by address, so the address stands in the certificate. */
const NAMES = 'subjectAltName=IP:127.0.0.1,DNS:localhost\n'

/** User → password. Made in a folder aside, so that half of it never looks like the whole. */
export function secretsIn(directory) {
  const credentials = join(directory, 'credentials.json')
  if (!existsSync(credentials)) {
    const part = `${directory}.part`
    rmSync(part, { recursive: true, force: true })
    mkdirSync(part, { recursive: true, mode: 0o700 })
    makeCertificates(part)
    const passwords = Object.fromEntries(
      USERS.map((user) => [user, randomBytes(18).toString('base64url')]),
    )
    writeFileSync(join(part, 'credentials.json'), JSON.stringify(passwords, null, 2), {
      mode: 0o600,
    })
    rmSync(directory, { recursive: true, force: true })
    renameSync(part, directory)
  }
  return JSON.parse(readFileSync(credentials, 'utf8'))
}

function makeCertificates(directory) {
  const at = (name) => join(directory, name)
  const authority = ['-subj', '/CN=foreshock-development', '-keyout', at('ca.key')]
  openssl(['req', '-x509', ...KEY, ...authority, '-out', at('ca.pem'), '-days', DAYS])
  const broker = ['-subj', '/CN=foreshock-broker', '-keyout', at('broker.key')]
  openssl(['req', '-new', ...KEY, ...broker, '-out', at('broker.csr')])
  writeFileSync(at('names'), NAMES)
  const signing = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', DAYS]
  const request = ['-in', at('broker.csr'), '-extfile', at('names'), '-out', at('broker.crt')]
  openssl(['x509', '-req', ...signing, ...request])
  const chain = ['broker.key', 'broker.crt', 'ca.pem'].map((name) => readFileSync(at(name)))
  writeFileSync(at('broker.pem'), Buffer.concat(chain), { mode: 0o600 })
}

function openssl(args) {
  const { error, status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (error) throw new SecretsError('a secured broker needs openssl, which is not on the PATH')
  if (status !== 0) throw new SecretsError(`openssl ${args[0]} failed:\n${stderr}`)
}
