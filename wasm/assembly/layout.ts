// The memory map. Everything else asks here where a thing lies.
export function pageSize(): i32 {
  return 65536
}
