// What the validator behind editors finds in a Dockerfile, one line each. Usage: node lint.js FILE
const { readFileSync } = require("node:fs");
const { validate, ValidationSeverity } = require("dockerfile-utils");

const checks = ["deprecatedMaintainer", "directiveCasing", "emptyContinuationLine", "instructionCasing", "instructionCmdMultiple",
  "instructionEntrypointMultiple", "instructionHealthcheckMultiple", "instructionJSONInSingleQuotes", "instructionWorkdirRelative"];
const settings = Object.fromEntries(checks.map((check) => [check, ValidationSeverity.ERROR]));
for (const { range, message } of validate(readFileSync(process.argv[2], "utf8"), settings)) {
  console.log(`${range.start.line + 1}: ${message}`);
}
