import koffi, { type LibraryHandle } from 'koffi';

/** Throws if the library is not installed, naming the package that brings it. */
export function openLibrary(file: string, debianPackage: string): LibraryHandle {
  try {
    return koffi.load(file);
  } catch (cause) {
    const advice = `${file} is not installed; on Debian: apt install ${debianPackage}`;
    throw new Error(advice, { cause });
  }
}
