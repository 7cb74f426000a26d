// The first import of the entry for Node: an old Node has to fail here, not later at something that it lacks.
import process from "node:process";

const [neededMajor, neededMinor] = [22, 12];

/** @internal Why this version of Node can't run the client; `undefined` if it can. */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return undefined;
  return `messagepasser needs Node ${neededMajor}.${neededMinor} or newer; this is Node ${version}`;
}

const problem = nodeProblem(process.versions.node);
if (problem !== undefined) throw new Error(problem);
