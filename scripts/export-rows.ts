/**
 * `npx tsx scripts/export-rows.ts HISTORY DATA_DIR FILE`: the rows of a training by folds, for the peers
 * in training/peers.
 */
import { join } from 'node:path'
import { loadNodeClass } from '../src/config/node-classes.ts'
import { loadKernel } from '../src/commands/package.ts'
import { exportRows } from '../training/exported-rows.ts'
import { readManifest } from '../training/manifest.ts'

const [name, dataDir, file] = process.argv.slice(2)
if (name === undefined || dataDir === undefined || file === undefined) {
  process.stderr.write('usage: npx tsx scripts/export-rows.ts HISTORY DATA_DIR FILE\n')
  process.exit(2)
}
const root = join(import.meta.dirname, '..')
const manifest = readManifest(join(root, 'training', 'histories', `${name}.toml`))
const nodeClass = loadNodeClass(join(root, 'node-classes'), manifest.nodeClass)
const count = await exportRows({ manifest, nodeClass, dataDir, module: await loadKernel(), file })
process.stdout.write(`${count} rows in ${file}\n`)
