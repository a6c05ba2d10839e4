// The functions of asr_activation.

// Abramowitz and Stegun, 7.1.26: the error is below 1.5e-7 everywhere.
float erf(float x)
{
    float t = 1.0 / (1.0 + 0.3275911 * abs(x));
    float poly = t * (0.254829592 +
                 t * (-0.284496736 +
                 t * (1.421413741 +
                 t * (-1.453152027 +
                 t * 1.061405429))));
    return sign(x) * (1.0 - poly * exp(-x * x));
}

float activate(int act, float x)
{
    if (act == ACT_GELU)
        return 0.5 * x * (1.0 + erf(x * 0.70710678118654752));
    if (act == ACT_RELU)
        return max(x, 0.0);
    if (act == ACT_SILU)
        return x / (1.0 + exp(-x));
    return x;
}
