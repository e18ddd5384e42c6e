// The exports of foreshock.wasm, one file per kernel. Memory is imported; strings and objects never cross.
export { pageSize } from './layout'
export * from './gbdt'
