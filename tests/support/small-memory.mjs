// The hub with a limit of its WebAssembly memory, so that a test can fill it without filling the machine's.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hubModules } from "../../cli/serve/workerd.mjs";
import { temporaryFolder } from "./folder.mjs";

const MEMORY_SECTION = 5;
const PAGE_BYTES = 65_536;

/** Reads an unsigned LEB128 number. Returns its value and the offset after it. */
function readNumber(bytes, offset) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[offset++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, offset];
  }
}

function writeNumber(value) {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return [...bytes, value];
}

/** Returns a WebAssembly module whose only memory can grow to `maxBytes`. */
function withMaximum(module, maxBytes) {
  let offset = 8;
  while (offset < module.length) {
    const [size, start] = readNumber(module, offset + 1);
    if (module[offset] === MEMORY_SECTION) {
      const [count, flags] = [module[start], module[start + 1]];
      if (count !== 1 || flags !== 0) throw new Error("expected one memory without a maximum");
      const [initial] = readNumber(module, start + 2);
      const content = [1, 1, ...writeNumber(initial), ...writeNumber(Math.floor(maxBytes / PAGE_BYTES))];
      const section = Buffer.from([MEMORY_SECTION, ...writeNumber(content.length), ...content]);
      return Buffer.concat([module.subarray(0, offset), section, module.subarray(start + size)]);
    }
    offset = start + size;
  }
  throw new Error("no memory section");
}

/** Returns the modules of a hub whose memory has at most `maxBytes`. An allocation beyond that traps, as at 4 GiB. */
export function smallMemoryModules(maxBytes) {
  const folder = temporaryFolder();
  const wasm = hubModules().find(({ name }) => name.endsWith(".wasm"));
  writeFileSync(join(folder, "index_bg.wasm"), withMaximum(readFileSync(wasm.path), maxBytes));
  return hubModules().map((module) =>
    module.name === wasm.name ? { ...module, path: join(folder, "index_bg.wasm") } : module,
  );
}
