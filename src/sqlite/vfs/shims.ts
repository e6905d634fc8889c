/**
 * SHIMS: a WebAssembly module of our own that stands between SQLite and those callbacks that take a
 * 64-bit offset, and hands the offset on as a double. SQLite's files stay far below 2^53 bytes, and
 * a bigint per call would be an allocation on the hottest path.
 *
 * The module in text form, and below it byte by byte:
 *
 *   (module
 *     (import "js" "transfer" (func $transfer (param i32 i32 i32 f64) (result i32)))
 *     (import "js" "resize" (func $resize (param i32 f64) (result i32)))
 *     (func (export "transfer") (param i32 i32 i32 i64) (result i32)
 *       (call $transfer (local.get 0) (local.get 1) (local.get 2)
 *         (f64.convert_i64_s (local.get 3))))
 *     (func (export "resize") (param i32 i64) (result i32)
 *       (call $resize (local.get 0) (f64.convert_i64_s (local.get 1)))))
 */
import { type WasmInstance, webAssembly } from "../wasm/web-assembly.ts";

/** xRead and xWrite: file, buffer, bytes, offset → result code. */
export type Transfer = (file: number, buffer: number, bytes: number, offset: number) => number;
/** xTruncate: file, size → result code. */
export type Resize = (file: number, sizeBytes: number) => number;

const I32 = 0x7f;
const I64 = 0x7e;
const F64 = 0x7c;
const FUNCTION = 0x60;
const LOCAL_GET = 0x20;
const CALL = 0x10;
const F64_CONVERT_I64_S = 0xb9;
const END = 0x0b;

const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const section = (id: number, body: number[]): number[] => [id, body.length, ...body];

const TYPES = [
  ...[FUNCTION, 4, I32, I32, I32, F64, 1, I32],
  ...[FUNCTION, 2, I32, F64, 1, I32],
  ...[FUNCTION, 4, I32, I32, I32, I64, 1, I32],
  ...[FUNCTION, 2, I32, I64, 1, I32],
];

const TRANSFER_BODY = [
  ...[0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, LOCAL_GET, 3],
  ...[F64_CONVERT_I64_S, CALL, 0, END],
];
const RESIZE_BODY = [0, LOCAL_GET, 0, LOCAL_GET, 1, F64_CONVERT_I64_S, CALL, 1, END];

const MODULE = new webAssembly.Module(
  new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [4, ...TYPES]),
    ...section(2, [
      2,
      ...[...text("js"), ...text("transfer"), 0, 0],
      ...[...text("js"), ...text("resize"), 0, 1],
    ]),
    ...section(3, [2, 2, 3]),
    ...section(7, [2, ...text("transfer"), 0, 2, ...text("resize"), 0, 3]),
    ...section(10, [
      2,
      ...[TRANSFER_BODY.length, ...TRANSFER_BODY],
      ...[RESIZE_BODY.length, ...RESIZE_BODY],
    ]),
  ]),
);

/** A function that C can call with a 64-bit offset. */
export function transferShim(transfer: Transfer): (...args: never[]) => unknown {
  return instantiate({ transfer, resize: unused }).transfer as (...args: never[]) => unknown;
}

export function resizeShim(resize: Resize): (...args: never[]) => unknown {
  return instantiate({ transfer: unused, resize }).resize as (...args: never[]) => unknown;
}

function instantiate(js: { transfer: Transfer; resize: Resize }): WasmInstance["exports"] {
  return new webAssembly.Instance(MODULE, { js: { ...js } }).exports;
}

function unused(): number {
  throw new TypeError("this half of the shim has no callback");
}
