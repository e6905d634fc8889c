import { seedTests } from "./seed-tests.ts";

seedTests("log", {
  fact: "a log that is cut off anywhere has what it said is durable, in order and whole",
  seeds: 15,
});
seedTests("rot", {
  fact: "damage to what is whole is refused, or nothing is read that was not written",
  seeds: 8,
});
