/**
 * The Ed25519 key that signs commands. It is made once, in the state directory, and readable by its
 * owner only; executors hold the public half. Losing it means that executors must be told a new one.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
} from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ServiceError } from '../core/errors.ts'

const FILE = 'signing-key.pem'

export interface Signer {
  /** Base64 of the Ed25519 signature over exactly these bytes. */
  sign(bytes: Uint8Array): string
  /** Base64 of the raw 32 bytes. */
  readonly publicKey: string
  /** The first 16 hex digits of the public key's sha256: names the key in logs and headers. */
  readonly keyId: string
}

export type Verifier = (bytes: Uint8Array, signature: string) => boolean

export function loadSigner(directory: string): Signer {
  const path = join(directory, FILE)
  const pem = readKey(path) ?? createKey(directory, path)
  const key = parseKey(pem, path)
  const raw = rawPublicKey(key)
  return {
    sign: (bytes) => sign(null, bytes, key).toString('base64'),
    publicKey: raw.toString('base64'),
    keyId: createHash('sha256').update(raw).digest('hex').slice(0, 16),
  }
}

/** False for a signature that is wrong or no signature at all. */
export function createVerifier(publicKey: string): Verifier {
  const key = parsePublicKey(publicKey)
  return (bytes, signature) => {
    const raw = Buffer.from(signature, 'base64')
    return raw.length === 64 && verify(null, bytes, key, raw)
  }
}

function readKey(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ServiceError('KEY_INVALID', `${path}: cannot read the signing key; check its owner`, {
      cause,
    })
  }
}

/** Written aside and linked, so that two processes starting at once agree on one whole key. */
function createKey(directory: string, path: string): string {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  const aside = `${path}.${process.pid}`
  mkdirSync(directory, { recursive: true })
  writeFileSync(aside, pem, { mode: 0o600 })
  try {
    linkSync(aside, path)
    return pem.toString()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    return readFileSync(path, 'utf8')
  } finally {
    rmSync(aside, { force: true })
  }
}

function parseKey(pem: string, path: string): KeyObject {
  try {
    const key = createPrivateKey(pem)
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (cause) {
    throw damaged(path, cause)
  }
  throw damaged(path)
}

function damaged(path: string, cause?: unknown): ServiceError {
  return new ServiceError(
    'KEY_INVALID',
    `${path}: is no Ed25519 private key; restore it from a backup, or remove it to have a new one made (executors must then be given the new public key)`,
    { cause },
  )
}

function rawPublicKey(key: KeyObject): Buffer {
  return Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x!, 'base64url')
}

function parsePublicKey(text: string): KeyObject {
  const raw = Buffer.from(text, 'base64')
  try {
    return createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') },
      format: 'jwk',
    })
  } catch (cause) {
    throw new ServiceError(
      'KEY_INVALID',
      `"${text}" is no Ed25519 public key; expected the base64 of 32 bytes`,
      { cause },
    )
  }
}
