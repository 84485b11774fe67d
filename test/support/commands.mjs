// Runs command lines of rollcast, as built, one after the other in this process, and prints what each printed and its exit code.
// The argument is the list of them, as JSON.
import { main } from '../../packages/cli/dist/main.js';

const print = process.stdout.write.bind(process.stdout);
const results = [];
for (const line of JSON.parse(process.argv[2])) {
  const result = { code: -1, out: '', err: '' };
  process.stdout.write = (text) => ((result.out += text), true);
  process.stderr.write = (text) => ((result.err += text), true);
  result.code = await main(line);
  results.push(result);
}
process.exitCode = 0;
print(JSON.stringify(results));
