import { expect, it, vi } from "vitest";
import { compareKeys, isWellFormed, utf8Length } from "../../src/record/utf8.ts";

// The first and the last of each kind of character: of one to four bytes, and around surrogates.
const CHARACTERS: readonly string[] = [
  0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xe001, 0xffff, 0x10000, 0x10001, 0x10ffff,
].map((point) => String.fromCodePoint(point));

const bytesOf = (text: string): Buffer => Buffer.from(text, "utf8");

it("counts the bytes of every kind of character", () => {
  for (const character of CHARACTERS) {
    expect(utf8Length(character), escape(character)).toBe(bytesOf(character).length);
    expect(utf8Length(`a${character}a`)).toBe(bytesOf(character).length + 2);
  }
  expect(utf8Length("")).toBe(0);
});

it("finds a lone surrogate in every position of short and long texts", () => {
  for (const length of [1, 2, 47, 48, 49, 50, 100]) {
    const text = "a".repeat(length);
    expect(isWellFormed(text)).toBe(true);
    for (const at of [0, 1, length - 2, length - 1].filter((i) => i >= 0 && i < length)) {
      for (const surrogate of ["\ud800", "\udbff", "\udc00", "\udfff"])
        expect(isWellFormed(text.slice(0, at) + surrogate + text.slice(at + 1))).toBe(false);
      for (const character of CHARACTERS)
        expect(isWellFormed(text.slice(0, at) + character + text.slice(at + 1))).toBe(true);
    }
  }
  expect(isWellFormed("")).toBe(true);
});

it("looks at short texts without a call of the engine, and at long ones by one", () => {
  const asked: number[] = [];
  const spy = vi.spyOn(String.prototype, "isWellFormed").mockImplementation(function (
    this: string,
  ) {
    asked.push(this.length);
    return true;
  });
  for (const length of [1, 48, 49]) isWellFormed("\u07ff".repeat(length));
  isWellFormed("\u{10000}");
  spy.mockRestore();
  expect(asked).toEqual([49, 2]);
});

it("compares keys as their bytes compare", () => {
  for (const a of CHARACTERS)
    for (const b of CHARACTERS)
      for (const [one, two] of [
        [a, b],
        [`x${a}`, `x${b}y`],
        [a, `${a}${b}`],
      ] as const)
        expect(Math.sign(compareKeys(one, two)), `${escape(one)} ${escape(two)}`).toBe(
          Buffer.compare(bytesOf(one), bytesOf(two)),
        );
});
