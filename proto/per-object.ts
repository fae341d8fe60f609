/**
 * The same function, called once for each object and remembered for as long as the object lives: for what goes to many callers.
 * Neither the objects nor what is made of them may change.
 */
export function perObject<Given extends object, Made>(make: (given: Given) => Made): (given: Given) => Made {
  const made = new WeakMap<Given, Made>();
  return (given) => {
    let result = made.get(given);
    if (result === undefined) {
      result = make(given);
      made.set(given, result);
    }
    return result;
  };
}
