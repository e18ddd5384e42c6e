import { busContract } from './suite.ts'
import { simulatedHarness } from './simulated-harness.ts'

busContract(simulatedHarness)
