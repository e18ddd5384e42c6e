/** Whether this machine has a GPU at all, told without starting a driver, which is slow and talks. */
import { existsSync, readdirSync } from 'node:fs'

/** What Linux has where a driver of a GPU is loaded; the last one is the Windows Subsystem for Linux. */
const NVIDIA = ['/dev/nvidiactl', '/dev/nvidia0', '/dev/dxg']
const RENDER_DIRECTORY = '/dev/dri'

/** True where it cannot be told. Software Vulkan has no device, and is used only where it is named. */
export function hasGpuDevice(): boolean {
  if (process.platform !== 'linux') return true
  return hasNvidiaDevice() || renderNodes().length > 0
}

export function hasNvidiaDevice(): boolean {
  return NVIDIA.some((path) => existsSync(path))
}

function renderNodes(): readonly string[] {
  if (!existsSync(RENDER_DIRECTORY)) return []
  return readdirSync(RENDER_DIRECTORY).filter((name) => name.startsWith('renderD'))
}
