/** Starts the files that take longest first, so that the workers of a run end together. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Whole servers and processes: a minute a file. The others take seconds. */
const long = /\/test\/(integration|executor|start|store\/(kills|epoch|open|data-directory))\b/;

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => long.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
