import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createVerifier, loadSigner } from '../../../src/config/keys.ts'
import { toBytes } from '../../../src/core/bytes.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'foreshock-keys-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

test('a key is made once, for its owner only, and loaded from then on', () => {
  const state = join(directory, 'not', 'yet')
  const first = loadSigner(state)
  const second = loadSigner(state)
  expect(second.publicKey).toBe(first.publicKey)
  expect(second.keyId).toBe(first.keyId)
  expect(first.keyId).toMatch(/^[0-9a-f]{16}$/)
  expect(readdirSync(state)).toEqual(['signing-key.pem'])
  expect(statSync(join(state, 'signing-key.pem')).mode & 0o777).toBe(0o600)
})

test('a signature holds for its bytes and its key only', () => {
  const signer = loadSigner(directory)
  const verify = createVerifier(signer.publicKey)
  const signature = signer.sign(toBytes('move w1'))
  expect(verify(toBytes('move w1'), signature)).toBe(true)
  expect(verify(toBytes('move w2'), signature)).toBe(false)
  const other = loadSigner(join(directory, 'other'))
  expect(verify(toBytes('move w1'), other.sign(toBytes('move w1')))).toBe(false)
  for (const junk of ['', 'zz', '🙂', signature.slice(4)]) {
    expect(verify(toBytes('move w1'), junk)).toBe(false)
  }
})

test.each(['', 'no key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'])(
  'a damaged file is refused and left as it is: %j',
  (content) => {
    const path = join(directory, 'signing-key.pem')
    writeFileSync(path, content)
    expect(() => loadSigner(directory)).toThrow(
      expect.objectContaining({
        code: 'KEY_INVALID',
        message: `${path}: is no Ed25519 private key; restore it from a backup, or remove it to have a new one made (executors must then be given the new public key)`,
      }),
    )
    expect(statSync(path).size).toBe(content.length)
  },
)

test.each(['', 'short'])('%j is refused as a public key', (text) => {
  expect(() => createVerifier(text)).toThrow(
    `"${text}" is no Ed25519 public key; expected the base64 of 32 bytes`,
  )
})
