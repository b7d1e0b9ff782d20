// SPDX-License-Identifier: Apache-2.0
// monte_carlo - the price of a European call by simulation, with a kernel of the user's own, beside Black and Scholes' formula.
// The kernel's body is text: it fuses with the random draws before it and the mean after it, so nothing is ever stored.
#include <math.h>
#include <stdio.h>

#include <weft.h>

int main(void)
{
    const double spot = 100, strike = 105, rate = 0.03, vol = 0.2, years = 1;
    weft_session *s = weft_open(NULL);
    weft_kernel *payoff = weft_kernel_create(
        s, &(weft_kernel_desc){
               .name = "payoff",
               .params = "z; spot, strike, rate, vol, years",
               .body = "end = spot * exp((rate - vol*vol/2)*years + vol*sqrt(years)*z)\n"
                       "result = exp(-rate*years) * maximum(end - strike, 0)\n" });
    weft_array *z =
        weft_random_normal(s, WEFT_SHAPE(4000000), &(weft_random_options){ .seed = 42 });
    weft_array *value = weft_kernel_map(payoff, WEFT_ARRAYS(z), 5,
                                        (const double[]){ spot, strike, rate, vol, years });
    weft_array *price = weft_mean(value, WEFT_ALL_AXES, NULL),
               *spread = weft_std(value, WEFT_ALL_AXES, NULL);

    double got, sd;
    weft_status st = weft_compute(WEFT_ARRAYS(price, spread), NULL);  // one pass for both
    if (!st) st = weft_item_f64(price, &got);
    if (!st) st = weft_item_f64(spread, &sd);
    if (st) fprintf(stderr, "monte_carlo: %s\n", weft_last_error());
    weft_close(s);
    if (st) return 1;

    double d1 = (log(spot / strike) + (rate + vol * vol / 2) * years) / (vol * sqrt(years)),
           d2 = d1 - vol * sqrt(years);
    double exact = spot * 0.5 * erfc(-d1 / sqrt(2)) -
                   strike * exp(-rate * years) * 0.5 * erfc(-d2 / sqrt(2)),
           error = sd / sqrt(4e6);
    printf("simulated %.4f +- %.4f, exact %.4f\n", got, error, exact);
    return fabs(got - exact) > 5 * error;
}
